import { KeyManagementError } from './keymanagement.ts'

/** What was asked of a key, to tell what an answer means. */
export interface AzureQuestion {
  readonly keyId: string
  readonly task: 'wrap' | 'unwrap' | 'describe'
  /** Whether the vault keeps the key among those that can still be recovered. */
  readonly isDeleted: () => Promise<boolean>
}

/** What Key Vault says of an error: a code, and beneath it closer ones. */
interface Words {
  readonly code?: string
  readonly innerError?: Words
}

/** Who must act on what Key Vault, or the login to it, answered. */
export async function azureError(
  error: unknown,
  question: AzureQuestion,
): Promise<KeyManagementError> {
  if (error instanceof KeyManagementError) return error
  const { name, statusCode, details } = error as {
    name?: string
    statusCode?: number
    details?: { readonly error?: Words }
  }
  if (name !== 'RestError') return loginFailed(error, question)
  const closest = closestCode(details?.error)
  const { keyId } = question
  const answer = (code: KeyManagementError['code'], sentence: string): KeyManagementError =>
    new KeyManagementError(code, sentence, { cause: spoken(error) })
  switch (statusCode ?? 0) {
    case 400:
      return question.task === 'unwrap'
        ? answer(
            'refused',
            `${keyId} does not open this data key: it was altered or was made for another place or key`,
          )
        : answer(
            'not_found',
            `Azure does not take ${keyId} as a key that wraps: name an RSA key that permits wrapKey and unwrapKey`,
          )
    case 401:
      return answer(
        'denied',
        `the vault does not accept Cardea's login for ${keyId}: check its tenant`,
      )
    case 403:
      if (/Disabled|Expired|NotYetValid/.test(closest)) {
        return answer(
          'disabled',
          `a version of ${keyId} is disabled, has expired or is not valid yet: enable it, or make a new version`,
        )
      }
      return answer(
        'denied',
        `Cardea may not use ${keyId} (${closest}): give its identity the role Key Vault Crypto Service Encryption User on the key, and let the vault's firewall admit it`,
      )
    case 404:
    case 409:
      return (await isBeingDeleted(closest, question))
        ? answer('pending_deletion', `${keyId} was deleted: recover it before the vault purges it`)
        : answer(
            'not_found',
            `the vault has no key ${keyId}, or not this version of it: create it, or name another`,
          )
    case 429:
      return answer('throttled', `the vault answers ${keyId} with too many requests`)
    default:
      return answer('unreachable', `the vault did not answer for ${keyId}`)
  }
}

async function isBeingDeleted(closest: string, { isDeleted }: AzureQuestion): Promise<boolean> {
  return /Deleted/.test(closest) || isDeleted()
}

function closestCode(words: Words | undefined): string {
  let closest = words
  while (closest?.innerError) closest = closest.innerError
  return closest?.code ?? ''
}

const loginErrors: ReadonlySet<unknown> = new Set([
  'AggregateAuthenticationError',
  'AuthenticationError',
  'AuthenticationRequiredError',
  'CredentialUnavailableError',
])

/** What says that the way or the service, not the login, is to blame: the system's errors, the login library's, OAuth's. */
const passing =
  /\b(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|network_error|endpoints_resolution_error|temporarily_unavailable|server_error)\b/

/** The SDK sends nothing without a login, so an error that is no answer of the vault's is one of the login's, or of the way. */
function loginFailed(error: unknown, { keyId }: AzureQuestion): KeyManagementError {
  const cause = spoken(error)
  if (passes(error)) {
    return new KeyManagementError('unreachable', `Azure did not answer for ${keyId}`, { cause })
  }
  const message = `Cardea has no login at Azure for ${keyId}: give its Kubernetes service account a workload identity`
  return new KeyManagementError('denied', message, { cause })
}

function passes(error: unknown): boolean {
  const { name, message, errors } = error as {
    name?: unknown
    message?: string
    errors?: readonly unknown[]
  }
  if (!loginErrors.has(name)) return true
  // Those of a chain: one by one, for where there is no managed identity, its address does not answer.
  if (errors) return errors.some(passes)
  if (name === 'CredentialUnavailableError') return /endpoints_resolution_error/.test(message ?? '')
  // After a failure of the service the login library asks nothing for a minute, and says nothing either.
  return !message || passing.test(message)
}

/** What the SDK's error says, without the request that it also holds. */
function spoken(error: unknown): Error {
  const { message = 'it says nothing' } = error as { message?: string }
  return new Error(message.slice(0, 500))
}
