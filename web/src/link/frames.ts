// Server-sent events out of the bytes of a stream, whole or in pieces.

export interface Frame {
  /** Empty: not in the log. */
  id: string
  event: string
  data: string
}

const MOST_CHARACTERS = 16 * 1024 * 1024

/** Cuts a stream's text into frames. Comments, such as beats, only say that the other side is there. */
export class Frames {
  private rest = ''

  /** Take more text, and return the frames that are whole now. */
  take(text: string): Frame[] {
    this.rest += text.replace(/\r\n?/g, '\n')
    const frames: Frame[] = []
    let begin = 0
    for (let end = this.rest.indexOf('\n\n'); end >= 0; end = this.rest.indexOf('\n\n', begin)) {
      const frame = frameOf(this.rest.slice(begin, end))
      if (frame) frames.push(frame)
      begin = end + 2
    }
    this.rest = this.rest.slice(begin)
    if (this.rest.length > MOST_CHARACTERS) throw new RangeError('one event of the stream has no end')
    return frames
  }
}

function frameOf(block: string): Frame | null {
  const frame: Frame = { id: '', event: 'message', data: '' }
  let isFound = false
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const value = line.slice(colon + 1).replace(/^ /, '')
    const name = line.slice(0, colon)
    if (name === 'data') frame.data = isFound ? `${frame.data}\n${value}` : value
    if (name === 'data') isFound = true
    else if (name === 'id') frame.id = value
    else if (name === 'event') frame.event = value
  }
  return isFound ? frame : null
}
