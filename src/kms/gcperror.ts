import { KeyManagementError } from './keymanagement.ts'

/** Google's status codes (google/rpc/code.proto), those that have a meaning of their own here. */
const invalidArgument = 3
const notFound = 5
const permissionDenied = 7
const resourceExhausted = 8
const failedPrecondition = 9
const unauthenticated = 16

/** Login failed: there are no credentials, or the service that gives tokens refused, or did not answer. */
export class LoginError extends Error {
  constructor(cause: unknown) {
    super('login failed', { cause })
  }
}

/**
 * Who must act on what Google Cloud KMS, or the login to it, answered.
 * @param name the CryptoKey's resource name
 */
export function gcpError(
  error: unknown,
  name: string,
  task: 'wrap' | 'unwrap' | 'describe',
): KeyManagementError {
  if (error instanceof KeyManagementError) return error
  if (error instanceof LoginError) return loginFailed(error.cause, name)
  const { code, message = '' } = error as { code?: unknown; message?: string }
  const answer = (verdict: KeyManagementError['code'], sentence: string): KeyManagementError =>
    new KeyManagementError(verdict, sentence, { cause: spoken(error) })
  switch (code) {
    case notFound:
      return answer('not_found', `Google Cloud KMS has no key ${name}: create it, or name another`)
    case permissionDenied:
      return answer(
        'denied',
        `Cardea may not use ${name}: grant its service account cloudkms.cryptoKeyVersions.useToEncrypt, cloudkms.cryptoKeyVersions.useToDecrypt and cloudkms.cryptoKeys.get on it`,
      )
    case unauthenticated:
      return answer('denied', `Google Cloud KMS does not accept Cardea's login for ${name}`)
    case resourceExhausted:
      return answer('throttled', `Google Cloud KMS answers ${name} with too many requests`)
    case failedPrecondition: {
      const [, state] = /current state is: ([A-Z_]+)/.exec(message) ?? []
      const [verdict, sentence] = unusable(state, name)
      return answer(verdict, sentence)
    }
    case invalidArgument:
      if (/crc32c|checksum/i.test(message)) {
        return answer(
          'unreachable',
          `what Google Cloud KMS was asked about ${name} was damaged on the way`,
        )
      }
      return task === 'unwrap'
        ? answer(
            'refused',
            `${name} does not open this data key: it was altered or was made for another place or key`,
          )
        : answer(
            'not_found',
            `Google Cloud KMS does not take ${name} as a key for encryption: check its name and its purpose`,
          )
    default:
      return answer('unreachable', `Google Cloud KMS did not answer for ${name}`)
  }
}

function unusable(
  state: string | undefined,
  name: string,
): ['disabled' | 'pending_deletion', string] {
  switch (state) {
    case 'DESTROY_SCHEDULED':
      return [
        'pending_deletion',
        `a version of ${name} is scheduled for destruction: restore and enable it`,
      ]
    case 'DESTROYED':
      return [
        'pending_deletion',
        `a version of ${name} is destroyed, and what it wrapped is lost: make another version primary`,
      ]
    case undefined:
      return [
        'disabled',
        `${name} cannot be used: see that the Cloud KMS API is enabled in its project, and its purpose is ENCRYPT_DECRYPT`,
      ]
    default:
      return ['disabled', `a version of ${name} is ${state}: enable it`]
  }
}

/** Errors of the system that say that the network, not the login, is to blame. */
const network =
  /\b(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE)\b/

function loginFailed(error: unknown, name: string): KeyManagementError {
  const { response, message = '' } = error as { response?: { status?: number }; message?: string }
  const status = response?.status
  const passes = status === undefined ? network.test(message) : status === 429 || status >= 500
  return passes
    ? new KeyManagementError(
        'unreachable',
        `the login of Google Cloud did not answer, asked for ${name}`,
        { cause: spoken(error) },
      )
    : new KeyManagementError(
        'denied',
        `Cardea has no login at Google Cloud for ${name}: bind its Kubernetes service account to one of Google's that may use the key`,
        { cause: spoken(error) },
      )
}

/** What the SDK's error says, without the request that it also holds. */
function spoken(error: unknown): Error {
  const { message = 'it says nothing' } = error as { message?: string }
  return new Error(message.slice(0, 500))
}
