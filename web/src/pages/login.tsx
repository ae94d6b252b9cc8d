// Who comes from elsewhere, or may do more than read, shows a token here.

import { useState } from 'preact/hooks'
import { type Problem, problemOf } from '../link/api'
import { askSession, login, session } from '../link/session'
import { Failed } from '../parts/empty'
import { go } from '../router'

export default function Login() {
  const [token, setToken] = useState('')
  const [problem, setProblem] = useState<Problem | null>(null)
  const [isAsking, setAsking] = useState(false)
  const enter = async () => {
    setAsking(true)
    setProblem(null)
    try {
      await login(token.trim())
      setToken('')
      go('#/overview')
    } catch (error) {
      setProblem(problemOf(error))
    }
    setAsking(false)
  }
  const known = session.value
  return (
    <main class="login">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (token.trim() && !isAsking) void enter()
        }}
      >
        <h1>onebook</h1>
        {known && <p>You are {known.name}, with the role {known.role}. Another token takes its place.</p>}
        <label>
          <span>Token</span>
          <input
            type="password"
            autoFocus
            autoComplete="current-password"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <p class="hint">
          On the book's machine: <code>onebook token create --role viewer --name phone</code>
        </p>
        {problem && <Failed problem={problem} />}
        <button type="submit" class="strong accent" disabled={isAsking || !token.trim()}>Log in</button>
        {known && <a class="button" href="#/overview" onClick={() => void askSession()}>Back</a>}
      </form>
    </main>
  )
}
