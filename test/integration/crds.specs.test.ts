import { beforeAll, describe, expect, test } from 'vitest'
import { rulesOf } from '../../hack/generate/fields.ts'
import { structuralSchema } from '../../hack/generate/openapi.ts'
import { testCluster } from '../support/controlplane.ts'
import { type Refusal, type Resources, resourcesIn } from '../support/resources.ts'
import { allSpecs } from '../support/specs/all.ts'

let resources: Resources
const heard: Refusal[] = []

beforeAll(async () => {
  const cluster = testCluster()
  resources = resourcesIn(cluster, await cluster.namespace())
})

describe.each(allSpecs)('$kind.kind', ({ kind, valid, accepted, refused, refusedChanges }) => {
  test.each(accepted)('is admitted: $name', async ({ metadataName = 'a', change }) => {
    const { admitted, refusals } = await resources.judge(kind, metadataName, {
      ...valid,
      ...change,
    })
    expect(refusals).toEqual([])
    expect(admitted).toBe(true)
    expect(kind.spec.safeParse({ ...valid, ...change }).error).toBeUndefined()
  })

  test.each(refused)('is refused: $name', async ({ metadataName = 'a', change, field, says }) => {
    const spec = { ...valid, ...change }
    const { admitted, refusals } = await resources.judge(kind, metadataName, spec)
    heard.push(...refusals)
    expect(admitted).toBe(false)
    expect(refusals).toContainEqual(
      expect.objectContaining({ field, message: expect.stringContaining(says) }),
    )
    const admittedByProgram =
      kind.spec.safeParse(spec).success && kind.nameRules.every(({ holds }) => holds(metadataName))
    expect(admittedByProgram).toBe(false)
  })

  test.each(refusedChanges)('cannot become: $name', async ({ name, from, to, field, says }) => {
    const object = name.replaceAll(' ', '-')
    const created = await resources.create(kind, object, { ...valid, ...from })
    expect(created.refusals).toEqual([])
    const { admitted, refusals } = await resources.replace(kind, object, { ...valid, ...to })
    heard.push(...refusals)
    expect(admitted).toBe(false)
    expect(refusals).toContainEqual(
      expect.objectContaining({ field, message: expect.stringContaining(says) }),
    )
  })

  test('has no rule that no row above breaks', () => {
    const unbroken = [...kind.nameRules, ...rulesOf(structuralSchema(kind.spec, kind.kind), 'spec')]
      .map(({ message }) => message)
      .filter((message) => !heard.some((refusal) => refusal.message.includes(message)))
    expect(unbroken).toEqual([])
  })
})
