// A row of fields that narrow a list; `/` goes to the first. What is typed stands in the address.

import { ask, route } from '../router'

export interface FilterField {
  name: string
  label: string
  /** The only values there are, beside all of them. */
  choices?: readonly (string | readonly [value: string, label: string])[]
  type?: 'text' | 'date'
  placeholder?: string
  width?: string
}

export function Filters({ fields }: { fields: readonly FilterField[] }) {
  const { query } = route.value
  const set = (name: string, value: string) => ask({ ...route.peek().query, [name]: value })
  const isSet = fields.some((field) => query[field.name])
  const without = () => ask(Object.fromEntries(Object.entries(query).filter(([name]) => !fields.some((f) => f.name === name))))
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      {fields.map((field, index) => (
        <label key={field.name}>
          <span>{field.label}</span>
          {field.choices ? (
            <select value={query[field.name] ?? ''} data-filter={index === 0 ? '' : undefined} onChange={(event) => set(field.name, event.currentTarget.value)}>
              <option value="">all</option>
              {field.choices.map((choice) => {
                const [value, label] = typeof choice === 'string' ? [choice, choice] : choice
                return <option key={value} value={value}>{label}</option>
              })}
            </select>
          ) : (
            <input
              {...(field.type === 'date' ? ({ type: 'date' } as const) : ({ type: 'text' } as const))}
              value={query[field.name] ?? ''}
              placeholder={field.placeholder}
              style={field.width ? { width: field.width } : {}}
              data-filter={index === 0 ? '' : undefined}
              onInput={(event) => set(field.name, event.currentTarget.value)}
            />
          )}
        </label>
      ))}
      <button type="button" class="plain" disabled={!isSet} onClick={without}>Clear</button>
    </form>
  )
}

/** Say whether a text holds what is looked for, whatever its case. */
export function holds(text: string, wanted: string | undefined): boolean {
  return !wanted || text.toLowerCase().includes(wanted.trim().toLowerCase())
}
