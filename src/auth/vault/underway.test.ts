import { expect, test } from 'vitest'
import { UnderWay } from './underway.ts'

test('one organization has so much under way, and the others go on', () => {
  const underWay = new UnderWay()
  const entered = Array.from({ length: 40 }, () => underWay.enter('acme'))
  expect(entered.filter(Boolean)).toHaveLength(32)
  expect(underWay.enter('globex')).toBe(true)
  underWay.leave('acme')
  expect([underWay.enter('acme'), underWay.enter('acme')]).toEqual([true, false])
})

test('all together have so much under way', () => {
  const underWay = new UnderWay()
  const entered = Array.from({ length: 300 }, (_, at) => underWay.enter(`organization-${at}`))
  expect(entered.filter(Boolean)).toHaveLength(256)
  underWay.leave('organization-0')
  expect([underWay.enter('organization-0'), underWay.enter('late')]).toEqual([true, false])
})
