import { expect, test } from 'vitest'
import { Circuit, type Permit } from './circuit.ts'

/** One that opens for a second after two failures, at a time that is the test's. */
function circuitAt() {
  const time = { now: 0 }
  const circuit = new Circuit({ failures: 2, coolDown: 1000, trial: 300, now: () => time.now })
  const enter = (): Permit => {
    const permit = circuit.enter()
    if (typeof permit === 'number') throw new Error(`nobody is let through for ${permit} ms`)
    return permit
  }
  return { circuit, time, enter }
}

function opened() {
  const made = circuitAt()
  for (const permit of [made.enter(), made.enter()]) permit.failed()
  return made
}

test('it opens after so many failures in a row, and says for how long', () => {
  const { circuit, time, enter } = circuitAt()
  enter().failed()
  enter().answered()
  enter().failed()
  enter().undecided()
  enter().failed()
  expect(circuit.enter()).toBe(1000)
  time.now = 400
  expect(circuit.enter()).toBe(600)
})

test('when it is over one is let through, and the others wait for what comes of it', () => {
  const { circuit, time, enter } = opened()
  time.now = 1000
  const first = enter()
  expect(circuit.enter()).toBe(300)
  first.failed()
  expect(circuit.enter()).toBe(1000)
  time.now = 2000
  enter().answered()
  enter().failed()
  enter()
})

test('one who goes away lets the next one try', () => {
  const { circuit, time, enter } = opened()
  time.now = 1000
  enter().undecided()
  enter()
  expect(circuit.enter()).toBe(300)
})

test('one who takes too long is not waited for, and is not heard any more', () => {
  const { circuit, time, enter } = opened()
  time.now = 1000
  const slow = enter()
  time.now = 1300
  const next = enter()
  slow.undecided()
  slow.failed()
  expect(circuit.enter()).toBe(300)
  next.answered()
  slow.failed()
  enter()
})

test('what was let through before it opened ends nobody’s rest, and does not open it again', () => {
  const { circuit, time, enter } = circuitAt()
  const early = Array.from({ length: 6 }, enter)
  for (const permit of early.slice(0, 2)) permit.failed()
  early[2]?.undecided()
  early[3]?.answered()
  expect(circuit.enter()).toBe(1000)
  time.now = 1000
  enter().answered()
  for (const permit of early.slice(4)) permit.failed()
  enter()
})
