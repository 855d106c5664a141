import { pino } from 'pino'

/** What may hold a secret wherever it stands in a logged object. */
const secretNames = [
  'password',
  'authorization',
  'connectionString',
  'apiKey',
  'credential',
  'x-api-key',
  'cookie',
  'token',
]
const redacted = secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`])

/** One JSON object a line on standard output. */
export function openLogger(level: string, program: string) {
  return pino({
    level,
    base: { program },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: redacted, censor: '[redacted]' },
    serializers: { err: serializeError },
  })
}

/** An error without what drivers hang on it: a query's parameters, a client with its password. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const code = 'code' in error ? error.code : undefined
  return {
    type: name,
    message,
    code,
    stack,
    ...(cause !== undefined && { cause: serializeError(cause) }),
  }
}
