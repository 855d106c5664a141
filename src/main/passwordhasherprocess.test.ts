import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { signedRank, telling } from '../../test/support/ranktest.ts'
import { ProcessHasher, type ProcessHasherOptions } from '../auth/password/processhasher.ts'
import { startHashingProcess } from './passwordhasherprocess.ts'

// At the lowest priority, on a machine that has other things to do.
vi.setConfig({ testTimeout: 60_000 })
const patience = { timeout: 20_000 }

const cheap = { memory: 1024, iterations: 1, parallelism: 1 }
const real = { memory: 19_456, iterations: 2, parallelism: 1 }
const warnings: object[] = []
const log = {
  debug: () => {},
  info: () => {},
  warn: (detail: object) => void warnings.push(detail),
  error: () => {},
}
const open: ProcessHasher[] = []

function hasher(options: Partial<ProcessHasherOptions> = {}): ProcessHasher {
  const made = new ProcessHasher({
    start: startHashingProcess,
    parameters: cheap,
    queue: 200,
    workers: 1,
    log,
    ...options,
  })
  open.push(made)
  return made
}

afterEach(() => {
  for (const each of open.splice(0)) each.stop()
})

async function hashOf(password: string, by = hasher()): Promise<string> {
  const made = await by.hash(password)
  if (!('hash' in made)) throw new Error('busy')
  return made.hash
}

/** The processes that this one has started and that are there still. */
function children(): readonly string[] {
  const tasks = readdirSync('/proc/self/task')
  return tasks.flatMap((task) => readChildren(`/proc/self/task/${task}/children`))
}

function readChildren(file: string): readonly string[] {
  const pids = readFileSync(file, 'latin1').split(' ').filter(Boolean)
  return pids.filter((pid) => commandLine(pid).includes('passwordhasher.'))
}

/** Empty for what is gone. */
function commandLine(pid: string | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

test('a hash says with which parameters it was made, and has a salt of its own', async () => {
  const by = hasher({ parameters: real })
  const [one, two] = [await hashOf('correct horse', by), await hashOf('correct horse', by)]
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(two).not.toBe(one)
})

describe('a password is verified exactly as it was received', () => {
  test.each([
    ['the same', 'correct horse battery', 'correct horse battery', true],
    ['another case', 'correct horse battery', 'Correct horse battery', false],
    ['a space behind it', 'correct horse battery', 'correct horse battery ', false],
    ['72 bytes alike and then another one', `${'a'.repeat(72)}b`, `${'a'.repeat(72)}c`, false],
    ['a NUL and something else behind it', 'abc\0def', 'abc\0xyz', false],
    ['nothing behind the NUL', 'abc\0def', 'abc', false],
    ['64 emojis', '🗝'.repeat(64), '🗝'.repeat(64), true],
    ['1024 bytes', 'x'.repeat(1024), 'x'.repeat(1024), true],
    ['the same, decomposed', 'Zo\u00eb\u2019s fianc\u00e9', 'Zoe\u0308\u2019s fiance\u0301', true],
    ['the same, in full width', 'Kennwort12', 'Ｋｅｎｎｗｏｒｔ１２', true],
    ['half a surrogate pair for another', 'abc\ufffd', 'abc\ud800', false],
  ])('%s', async (_name, set, given, matches) => {
    const by = hasher()
    expect(await by.verify(await hashOf(set, by), given)).toEqual({ matches, outdated: false })
  })
})

test('a password of more than 1024 bytes matches nothing and is not hashed', async () => {
  const by = hasher()
  await expect(by.hash('x'.repeat(1025))).rejects.toThrow(RangeError)
  const hash = await hashOf('x'.repeat(1024), by)
  expect(await by.verify(hash, 'x'.repeat(1025))).toEqual({ matches: false, outdated: false })
})

test('without a hash the same work is done, and nothing matches', async () => {
  const by = hasher({ parameters: real })
  const hash = await hashOf('correct horse', by)
  const time = async (of: string | undefined) => {
    const started = performance.now()
    expect(await by.verify(of, 'wrong')).toEqual({ matches: false, outdated: false })
    return performance.now() - started
  }
  const samples = { known: [] as number[], unknown: [] as number[] }
  for (let round = 0; round < 60; round++) {
    samples.known.push(await time(hash))
    samples.unknown.push(await time(undefined))
  }
  expect(Math.abs(signedRank(samples.unknown, samples.known))).toBeLessThan(telling)
})

test('a hash that was made with less is good and outdated', async () => {
  const hash = await hashOf('correct horse')
  const by = hasher({ parameters: { ...cheap, iterations: 2 } })
  expect(await by.verify(hash, 'correct horse')).toEqual({ matches: true, outdated: true })
})

test.each([
  ['4 GiB', '$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$'],
  ['a thousand passes', '$argon2id$v=19$m=19456,t=1000,p=1$c29tZXNhbHRzb21lc2FsdA$'],
  ['another function', '$argon2i$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$'],
  ['base64 that is none', '$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdAA$'],
])('a stored hash that asks for %s is not obeyed, and matches nothing', async (_name, start) => {
  const by = hasher()
  const verified = await by.verify(`${start}${'A'.repeat(43)}`, 'correct horse')
  expect(verified).toMatchObject({ matches: false })
})

test('what is derived is the same for the same text, salt and parameters, and for nothing else', async () => {
  const by = hasher()
  const salt = Buffer.alloc(32, 7)
  const first = await by.derive('123456', salt)
  expect(first).toEqual(await by.derive('123456', salt))
  expect(first).not.toEqual(await by.derive('123457', salt))
  expect(first).not.toEqual(await by.derive('123456', Buffer.alloc(32, 8)))
})

test('beyond the queue it is busy, at once, and says when to come again', async () => {
  const by = hasher({ parameters: real, queue: 5 })
  const all = await Promise.all(Array.from({ length: 20 }, () => by.hash('correct horse')))
  const refused = all.filter((each) => 'refused' in each)
  expect(refused).toHaveLength(14)
  expect(refused[0]).toEqual({ refused: 'busy', retryAfter: 2 })
  expect(by.full).toBe(false)
  expect(await by.hash('correct horse')).toHaveProperty('hash')
})

test('a task that takes too long is given up with its process, and the next one is done', async () => {
  const slow = { memory: 131_072, iterations: 200, parallelism: 1 }
  const by = hasher({ parameters: slow, deadline: 2000 })
  warnings.length = 0
  expect(await by.hash('correct horse')).toMatchObject({ refused: 'busy' })
  expect(warnings).toEqual([{ reason: 'SIGKILL' }])
  const quick = `$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$${'A'.repeat(43)}`
  await expect.poll(() => by.verify(quick, 'x'), patience).toMatchObject({ matches: false })
})

test('what waits for too long is given up, and what is under way is not', async () => {
  const by = hasher({ parameters: real, deadline: 3000, queue: 5000 })
  warnings.length = 0
  const all = await Promise.all(Array.from({ length: 3000 }, () => by.hash('correct horse')))
  const hashed = all.filter((each) => 'hash' in each).length
  expect(hashed).toBeGreaterThan(0)
  expect(hashed).toBeLessThan(3000)
  // By one process: none was killed for what had waited.
  expect(warnings.filter((each) => 'reason' in each)).toEqual([])
  expect(await by.hash('correct horse')).toHaveProperty('hash')
})

test('the process has the lowest priority, and nothing of ours in its environment', async () => {
  process.env['CARDEA_TEST_SECRET'] = 'hidden'
  const by = hasher()
  await by.hash('correct horse')
  const [pid] = children()
  expect(pid).toBeDefined()
  // proc(5): the seventeenth field behind the name.
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')
  expect(fields?.[16]).toBe('19')
  expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain('CARDEA')
  expect(commandLine(pid)).not.toContain('horse')
  delete process.env['CARDEA_TEST_SECRET']
})

test('a process that is killed is replaced, and one whose hasher stops is gone', async () => {
  // Those of the tests before were told to end, and may not have yet.
  await expect.poll(children, patience).toEqual([])
  const by = hasher()
  await by.hash('correct horse')
  const [first] = children()
  warnings.length = 0
  process.kill(Number(first), 'SIGKILL')
  await expect.poll(() => warnings, patience).toContainEqual({ reason: 'SIGKILL' })
  expect(await by.hash('correct horse')).toHaveProperty('hash')
  expect(children()).not.toContain(first)
  by.stop()
  await expect.poll(children, patience).toEqual([])
  expect(await by.hash('correct horse')).toMatchObject({ refused: 'busy' })
})

test('the process ends when whoever started it is gone', async () => {
  const module = JSON.stringify(`${import.meta.dirname}/passwordhasherprocess.ts`)
  const script = `import { readFileSync, writeSync } from 'node:fs'
    const { startHashingProcess } = await import(${module})
    const { pid } = process
    const onAnswer = () => {
      writeSync(1, readFileSync('/proc/self/task/' + pid + '/children'))
      process.kill(pid, 'SIGKILL')
    }
    startHashingProcess({ onAnswer, onEnd: () => {} }).send(${JSON.stringify({
      do: 'hash',
      bytes: 'x',
      parameters: cheap,
    })})`
  const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  expect(signal).toBe('SIGKILL')
  const pid = stdout.toString().trim()
  expect(pid).toMatch(/^[0-9]+$/)
  await expect.poll(() => commandLine(pid), patience).toBe('')
})
