import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** The requirements of levels 1 and 2 that a machine can test, of the chapters that are about people. */
const core = `
  3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.4.2 3.4.3 3.4.4 3.4.5 3.4.6 3.5.1 3.5.2 3.5.3 3.7.2
  6.2.1 6.2.3 6.2.4 6.2.5 6.2.8 6.2.9 6.2.10 6.2.12 6.3.1 6.3.2 6.3.3 6.3.4 6.4.1 6.4.3
  6.5.1 6.5.4 6.5.5 6.6.2 6.6.3 6.8.1 6.8.2 6.8.3 6.8.4
  7.2.1 7.2.2 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2
  8.2.1 8.2.2 8.2.3 8.3.1 8.4.1
  9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3 9.2.4`
  .trim()
  .split(/\s+/)

const page = readFileSync('docs/asvs.md', 'utf8')
const rows = [...page.matchAll(/^\| ([0-9]+\.[0-9]+\.[0-9]+) \| .+? \| (.+) \|$/gm)].map(
  ([, id = '', shown = '']) => ({ id, shown }),
)

test('every core requirement has a row', () => {
  expect(rows.map(({ id }) => id)).toEqual(core)
})

test.each(rows)('$id names a test, or says that there is none', ({ shown }) => {
  const files = [...shown.matchAll(/`([^`]+\.ts)`((?:[:,] "[^"]+")*)/g)]
  if (files.length === 0) expect(shown).toContain('**Not yet**')
  for (const [, file = '', names = ''] of files) {
    expect(existsSync(file), file).toBe(true)
    const source = readFileSync(file, 'utf8')
    for (const [, name = ''] of names.matchAll(/"([^"]+)"/g)) {
      expect(source.includes(`'${name}'`) || source.includes(`\`${name}\``), name).toBe(true)
    }
  }
})
