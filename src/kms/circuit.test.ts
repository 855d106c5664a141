import { expect, test } from 'vitest'
import { Circuit } from './circuit.ts'

/** One that opens for a second after two failures, at a time that is the test's. */
function circuitAt() {
  const time = { now: 0 }
  const circuit = new Circuit({ failures: 2, coolDown: 1000, trial: 300, now: () => time.now })
  return { circuit, time }
}

function opened() {
  const made = circuitAt()
  made.circuit.failed()
  made.circuit.failed()
  return made
}

test('it opens after so many failures in a row, and says for how long', () => {
  const { circuit, time } = circuitAt()
  circuit.failed()
  circuit.answered()
  circuit.failed()
  expect(circuit.enter()).toBe(0)
  circuit.failed()
  expect(circuit.enter()).toBe(1000)
  time.now = 400
  expect(circuit.enter()).toBe(600)
})

test('when it is over one is let through, and the others wait for what comes of it', () => {
  const { circuit, time } = opened()
  time.now = 1000
  expect(circuit.enter()).toBe(0)
  expect(circuit.enter()).toBe(300)
  circuit.failed()
  expect(circuit.enter()).toBe(1000)
  time.now = 2000
  expect(circuit.enter()).toBe(0)
  circuit.answered()
  expect(circuit.enter()).toBe(0)
  circuit.failed()
  expect(circuit.enter()).toBe(0)
})

test('one who goes away lets the next through, but ends nobody’s rest', () => {
  const { circuit, time } = opened()
  circuit.abandoned()
  expect(circuit.enter()).toBe(1000)
  time.now = 1000
  expect(circuit.enter()).toBe(0)
  circuit.abandoned()
  expect(circuit.enter()).toBe(0)
  expect(circuit.enter()).toBe(300)
})
