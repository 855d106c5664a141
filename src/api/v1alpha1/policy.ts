import { z } from 'zod'

/** How the organization gets the credentials of third-party providers. */
const providerCredentialModes = ['VaultOnly', 'BringYourOwn', 'Either'] as const

const stored = (what: string) =>
  z
    .boolean()
    .describe(
      `Whether ${what} are stored with the requests that /check is asked about. Default: false, they are not.`,
    )
    .optional()

/** What is kept about the requests that applications ask about, not about people’s sessions: nothing, unless it is asked for. */
export function dataHandling() {
  return z.strictObject({
    storeClientAddresses: stored('the IP addresses of clients'),
    storeUserAgents: stored('the User-Agent headers of clients'),
    storeRequestPaths: stored('the paths of requests'),
  })
}

export function providerCredentials() {
  return z.strictObject({
    mode: z
      .enum(providerCredentialModes)
      .describe(
        'Where the credentials of third-party providers come from. VaultOnly: the ProviderCredentials; a caller who brings one of their own is refused. BringYourOwn: from the caller alone; who brings none is refused. Either: from the caller who brings one, else the ProviderCredentials. Default: VaultOnly.',
      )
      .optional(),
  })
}

/** A limit on how many of something there may be. */
export function quota(what: string) {
  return z
    .int()
    .min(0)
    .max(1_000_000)
    .describe(`How many ${what} there may be, 0 to 1000000. Default: no limit.`)
    .optional()
}
