import { type KeyManagementCode, KeyManagementError } from './keymanagement.ts'

/** What AWS's own names of errors mean here. Those that are in no list are told by the HTTP status. */
const names: Readonly<Partial<Record<KeyManagementCode, readonly string[]>>> = {
  denied: ['AccessDeniedException', 'NotAuthorized', 'OptInRequired'],
  disabled: ['DisabledException'],
  not_found: ['InvalidArnException', 'NotFoundException', 'ValidationException'],
  refused: ['IncorrectKeyException', 'InvalidCiphertextException'],
  throttled: [
    'LimitExceededException',
    'RequestLimitExceeded',
    'ThrottledException',
    'Throttling',
    'ThrottlingException',
    'TooManyRequestsException',
  ],
}

/** The program could not say who it is. */
const strangers: ReadonlySet<unknown> = new Set([
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidIdentityTokenException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'TokenProviderError',
  'UnrecognizedClientException',
])

const remedies: Readonly<Record<KeyManagementCode, string>> = {
  denied:
    'may not be used: allow the role of this program kms:Encrypt, kms:Decrypt and kms:DescribeKey on it, in IAM and in the key policy',
  disabled: 'is disabled: its administrator enables it',
  not_found: 'is not there: check its region and its name, or create it',
  pending_deletion: 'is to be deleted: its administrator cancels the deletion and enables it again',
  refused: 'did not wrap this data key for this place, or the ciphertext was altered',
  throttled: 'is asked too often: raise the request quota of AWS KMS if this goes on',
  unreachable: 'cannot be used just now: AWS KMS did not answer',
}

/** What went wrong, by what the SDK threw. @param key its name, for people */
export function awsError(error: unknown, key: string): KeyManagementError {
  if (error instanceof KeyManagementError) return error
  const { name } = error as { name?: unknown }
  if (strangers.has(name)) {
    const message = `the AWS key ${key} may not be used: this program has no valid credentials. Give its service account a role, by EKS Pod Identity or IRSA`
    return new KeyManagementError('denied', message)
  }
  const isUnfit = ['InvalidKeyUsageException', 'UnsupportedOperationException'].includes(
    String(name),
  )
  return isUnfit ? unfit(key, 'made for another use') : failure(codeOf(error), key)
}

/** @param what it is instead, for people */
export function unfit(key: string, what: string): KeyManagementError {
  const message = `the AWS key ${key} is ${what}: Cardea needs one of the spec SYMMETRIC_DEFAULT and the usage ENCRYPT_DECRYPT`
  return new KeyManagementError('refused', message)
}

/**
 * An error of this code. What the SDK threw is not kept as its cause: it holds the whole answer.
 * @param key its name, for people
 */
export function failure(code: KeyManagementCode, key: string): KeyManagementError {
  return new KeyManagementError(code, `the AWS key ${key} ${remedies[code]}`)
}

/** What the state of a key (`KeyMetadata.KeyState`) keeps it from; undefined when it can be used. */
export function codeOfState(state: string | undefined): KeyManagementCode | undefined {
  return state === undefined ? 'unreachable' : states.get(state)
}

const states: ReadonlyMap<string, KeyManagementCode> = new Map([
  ['Disabled', 'disabled'],
  ['PendingImport', 'disabled'],
  ['PendingDeletion', 'pending_deletion'],
  ['PendingReplicaDeletion', 'pending_deletion'],
  ['Creating', 'unreachable'],
  ['Unavailable', 'unreachable'],
])

function codeOf(error: unknown): KeyManagementCode {
  const { name, message, $metadata } = error as {
    name?: unknown
    message?: unknown
    $metadata?: { httpStatusCode?: number }
  }
  // Deletion, missing material and a disconnected key store have one name; only the sentence tells them apart.
  if (name === 'KMSInvalidStateException') {
    return /pending\s?(replica\s?)?deletion/i.test(String(message))
      ? 'pending_deletion'
      : 'disabled'
  }
  for (const [code, known] of Object.entries(names)) {
    if (known.includes(String(name))) return code as KeyManagementCode
  }
  const status = $metadata?.httpStatusCode
  if (status === 401 || status === 403) return 'denied'
  return status === 429 ? 'throttled' : 'unreachable'
}
