import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { version } from './version.ts'

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

test('the program, the package, the charts and the image have one version', () => {
  expect(JSON.parse(read('package.json'))).toMatchObject({ version })
  for (const chart of ['cardea', 'cardea-crds']) {
    const text = read(`charts/${chart}/Chart.yaml`)
    expect(text, chart).toMatch(new RegExp(`^version: "?${version}"?$`, 'm'))
    expect(text, chart).toMatch(new RegExp(`^appVersion: "?${version}"?$`, 'm'))
  }
  expect(read('Dockerfile')).toContain(`ARG VERSION=${version}`)
})
