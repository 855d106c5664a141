import { readDuration } from './duration.ts'

const signInMethods = ['Password', 'EmailCode', 'Passkey', 'SSO'] as const
type SignInMethod = (typeof signInMethods)[number]

/** How the people of an organization sign in, with the defaults put in. All times in milliseconds. */
export interface SignInRules {
  readonly methods: readonly SignInMethod[]
  readonly password: {
    readonly minLength: number
    readonly complexity: 'None' | 'Complex'
    /** How many former passwords may not come again. */
    readonly history: number
  }
  readonly lockout: { readonly attempts: number; readonly duration: number }
  readonly sessions: {
    readonly idle: number
    readonly lifetime: number
    readonly accessToken: number
    readonly refreshToken: number
  }
  /** At most so many people; undefined: any number. */
  readonly maxUsers: number | undefined
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

export const defaultSignInRules: SignInRules = {
  // A code by email is a single factor that whoever reads the mail has: it is for those who ask for it.
  methods: ['Password', 'Passkey', 'SSO'],
  // NIST SP 800-63B-4, section 3.1.1.2: 15 where it is the only factor; no composition, no rotation.
  password: { minLength: 15, complexity: 'None', history: 0 },
  lockout: { attempts: 5, duration: 15 * minute },
  sessions: {
    idle: 8 * hour,
    lifetime: 7 * day,
    accessToken: 15 * minute,
    refreshToken: 30 * day,
  },
  maxUsers: undefined,
}

/** @param settings of the organization, as they are stored; what is not understood has its default */
export function signInRules(settings: Readonly<Record<string, unknown>>): SignInRules {
  const { password, lockout, sessions } = defaultSignInRules
  const [signIn, ofPassword, ofLockout, ofSessions, quotas] = [
    part(settings, 'signIn'),
    part(settings, 'password'),
    part(settings, 'lockout'),
    part(settings, 'sessions'),
    part(settings, 'quotas'),
  ]
  const named = signIn['methods']
  const methods = Array.isArray(named)
    ? signInMethods.filter((method) => named.includes(method))
    : defaultSignInRules.methods
  const users = quotas['users']
  const accessToken = time(ofSessions['accessToken'], sessions.accessToken)
  return {
    methods,
    password: {
      minLength: count(ofPassword['minLength'], password.minLength),
      complexity: ofPassword['complexity'] === 'Complex' ? 'Complex' : 'None',
      history: count(ofPassword['history'], password.history),
    },
    lockout: {
      attempts: count(ofLockout['attempts'], lockout.attempts),
      duration: time(ofLockout['duration'], lockout.duration),
    },
    sessions: {
      idle: time(ofSessions['idle'], sessions.idle),
      lifetime: time(ofSessions['lifetime'], sessions.lifetime),
      accessToken: Math.min(accessToken, 8 * hour),
      refreshToken: time(ofSessions['refreshToken'], sessions.refreshToken),
    },
    maxUsers: typeof users === 'number' ? users : undefined,
  }
}

function part(settings: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  const value = settings[name]
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function count(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : otherwise
}

function time(value: unknown, otherwise: number): number {
  return (typeof value === 'string' ? readDuration(value) : undefined) ?? otherwise
}
