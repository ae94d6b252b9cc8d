import { expect, test } from 'vitest'
import { Frames } from '../../src/link/frames'

const TEXT = 'retry: 2000\n\nid: 57.1\nevent: trade_executed\ndata: {"a": 1}\n\n: beat\n\nevent: price_updated\ndata: {"b": "é"}\n\n'
const WHOLE = [
  { id: '57.1', event: 'trade_executed', data: '{"a": 1}' },
  { id: '', event: 'price_updated', data: '{"b": "é"}' },
]

test('frames come out of a stream; beats and pauses are none', () => {
  expect(new Frames().take(TEXT)).toEqual(WHOLE)
})

test('wherever the bytes are cut the frames are the same', () => {
  for (let at = 0; at <= TEXT.length; at += 1) {
    const frames = new Frames()
    expect([...frames.take(TEXT.slice(0, at)), ...frames.take(TEXT.slice(at))], `cut at ${at}`).toEqual(WHOLE)
  }
})

test('data of several lines is one text', () => {
  expect(new Frames().take('data: a\ndata: b\n\n')).toEqual([{ id: '', event: 'message', data: 'a\nb' }])
})
