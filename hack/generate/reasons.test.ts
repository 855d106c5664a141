import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { reasons } from '../../src/api/v1alpha1/conditions.ts'

/** The reference pages are made from the table of reasons; here it is held to what the operator says. */
const sources = globSync('src/{operator,k8s}/**/*.ts', {
  exclude: (path) => path.endsWith('.test.ts'),
})
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n')

test('every reason on the reference pages is one that the operator gives', () => {
  const silent = Object.keys(reasons).filter((reason) => !sources.includes(`'${reason}'`))
  expect(silent).toEqual([])
})

test('every reason that the operator gives is on the reference pages', () => {
  const given = sources.matchAll(/\b(?:waiting|stalled)(?:<\w+>)?\(\s*'(\w+)'/g)
  const unknown = [...given]
    .map(([, reason = '']) => reason)
    .filter((reason) => !(reason in reasons))
  expect(unknown).toEqual([])
})
