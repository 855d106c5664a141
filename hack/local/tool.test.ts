import { expect, test } from 'vitest'
import { reaches } from './tool.ts'

test.each([
  ['Kubernetes v1.36.3', '1.34', true],
  ['Kubernetes v1.34.0', '1.34', true],
  ['Kubernetes v1.33.9', '1.34', false],
  ['etcd Version: 3.6.8\nGo Version: go1.2.3', '3.5', true],
  ['Client Version: v1.9.0\nKustomize Version: v5.8.1', '1.34', false],
  ['v4.3', '4.0', true],
  ['v3.19.0+g3d8990f', '4.0', false],
  ['2.0', '1.34', true],
  ['no version at all', '1.34', false],
])('%j reaches %s: %s', (answer, oldest, expected) => {
  expect(reaches(answer, oldest)).toBe(expected)
})
