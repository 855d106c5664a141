import { expect, test } from 'vitest'
import { isOwnRequest, type Provenance } from './origin.ts'

const own = 'https://id.example.com'

function aProvenance(over: Partial<Provenance>): Provenance {
  return { site: undefined, origin: undefined, own, ambient: true, ...over }
}

test.each<[string, Partial<Provenance>]>([
  ['a page of ours, in a browser of today', { site: 'same-origin', origin: own }],
  ['a page of ours whose origin is hidden', { site: 'same-origin', origin: 'null' }],
  ['somebody who typed an address, from our own origin', { site: 'none', origin: own }],
  ['a page of ours, in an old browser', { origin: own }],
  ['a program that sends JSON', { ambient: false }],
])('%s may change something', (_name, over) => {
  expect(isOwnRequest(aProvenance(over))).toBe(true)
})

test.each<[string, Partial<Provenance>]>([
  ['another site', { site: 'cross-site', origin: 'https://evil.example' }],
  ['another site that claims our origin', { site: 'cross-site', origin: own }],
  ['a neighbour below our domain', { site: 'same-site', origin: 'https://acme.id.example.com' }],
  ['a neighbour without an origin', { site: 'same-site' }],
  ['somebody who typed an address, without an origin', { site: 'none' }],
  ['a site value that nobody knows', { site: 'same-origin, cross-site', origin: own }],
  ['an empty site value', { site: '', origin: undefined }],
  ['another site, in an old browser', { origin: 'https://evil.example' }],
  ['a hidden origin, in an old browser', { origin: 'null' }],
  ['our host by plain HTTP', { origin: 'http://id.example.com' }],
  ['our host with another port', { origin: 'https://id.example.com:8443' }],
  ['a form that says nothing', { ambient: true }],
  ['an origin at a host that is not ours', { origin: 'https://evil.example', own: undefined }],
  ['an origin of JSON that is not ours', { origin: 'https://evil.example', ambient: false }],
])('%s may not', (_name, over) => {
  expect(isOwnRequest(aProvenance(over))).toBe(false)
})
