/** From where a session is used. */
export interface SessionClient {
  /** Canonical; undefined when it cannot be told. */
  readonly address: string | undefined
  readonly deviceName: string
}

/** What is not as it was. */
export type ClientChange = 'network' | 'device'

/**
 * What changed since a session was last looked at: the device, or the network. Telephones and offices change their address all
 * the time within one, so that a network is as large as providers give out: a /16 of IPv4, a /32 of IPv6.
 */
export function changesOfClient(
  before: SessionClient,
  now: SessionClient,
): readonly ClientChange[] {
  const [from, to] = [networkOf(before.address), networkOf(now.address)]
  return [
    ...(from !== undefined && to !== undefined && from !== to ? (['network'] as const) : []),
    ...(before.deviceName === now.deviceName ? [] : (['device'] as const)),
  ]
}

function networkOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  if (address.includes(':')) return groupsOf(address).slice(0, 2).join(':')
  return address.split('.').slice(0, 2).join('.')
}

/** The leading groups of an IPv6 address, without leading zeros; what `::` stands for is zeros. */
function groupsOf(address: string): readonly string[] {
  const [head = ''] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':').map((group) => group.replace(/^0+(?=.)/, ''))
  return [...groups, '0', '0']
}
