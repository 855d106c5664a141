import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { staleFiles } from './stale.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cardea-stale-'))
  await mkdir(join(root, 'crds'))
  await writeFile(join(root, 'crds/a.yaml'), 'a')
})
afterEach(() => rm(root, { recursive: true }))

test('a tree that is as generated has nothing stale', async () => {
  expect(await staleFiles(root, new Map([['crds/a.yaml', 'a']]), ['crds'])).toEqual([])
})

test('every way to be stale is named', async () => {
  const files = new Map([
    ['crds/b.yaml', 'b'],
    ['docs/api/a.md', 'a'],
  ])
  await writeFile(join(root, 'crds/b.yaml'), 'edited by hand')
  expect(await staleFiles(root, files, ['crds', 'docs/api'])).toEqual([
    { path: 'crds/b.yaml', why: 'differs' },
    { path: 'docs/api/a.md', why: 'missing' },
    { path: 'crds/a.yaml', why: 'nothing generates it any more' },
  ])
})
