import { objectionsTo } from '../../src/domain/password.ts'
import { defaultSignInRules } from '../../src/domain/signinrules.ts'
import type { Visitor } from './browser.ts'
import { type PagesSetting, rightPassword, someToken } from './pages.ts'

const email = 'ada@acme.example'

type Scene = (visitor: Visitor, setting: PagesSetting) => Promise<void>

const identified: Scene = async (visitor) => {
  await visitor.open('/login')
  await visitor.type({ Email: email, 'Organization (optional)': 'acme' })
  await visitor.press('Continue')
}

const signedIn: Scene = async (_visitor, setting) => {
  setting.signedIn = true
}

const opens = (page: string, ...before: Scene[]): Scene => {
  return async (visitor, setting) => {
    for (const scene of before) await scene(visitor, setting)
    await visitor.open(page)
  }
}

/** How each page is come to. */
export const pageScenes: Readonly<Record<string, Scene>> = {
  'sign-in': opens('/login'),
  'sign-in-errors': async (visitor) => {
    await visitor.open('/login')
    await visitor.type({ Email: 'ada', 'Organization (optional)': 'Acme Inc.' })
    await visitor.press('Continue')
  },
  password: identified,
  'password-errors': async (visitor, setting) => {
    await identified(visitor, setting)
    await visitor.type({ Password: 'wrong' })
    await visitor.press('Sign in')
  },
  'password-locked': async (visitor, setting) => {
    await identified(visitor, setting)
    setting.refusal = { refused: 'account_locked', retryAfter: 900 }
    await visitor.type({ Password: rightPassword })
    await visitor.press('Sign in')
  },
  code: async (visitor, setting) => {
    await identified(visitor, setting)
    await visitor.press('Email me a code')
  },
  onward: opens(
    `/login/continue?return_to=${encodeURIComponent('https://app.acme.example/')}`,
    signedIn,
  ),
  register: opens('/register'),
  'register-sent': opens('/register/sent'),
  verify: opens(`/verify?token=${someToken}`),
  invitation: opens(`/invitation?token=${someToken}`),
  'invitation-errors': async (visitor, setting) => {
    await visitor.open(`/invitation?token=${someToken}`)
    await visitor.type({ 'Your name': 'Ada Lovelace', Password: 'acme' })
    const around = { isCommon: () => false, words: ['acme'] }
    const details = objectionsTo('acme', defaultSignInRules.password, around)
    setting.refusal = { refused: 'password_not_accepted', details }
    await visitor.press('Accept the invitation')
  },
  forgot: opens('/forgot'),
  'forgot-sent': opens('/forgot/sent'),
  reset: opens(`/reset?token=${someToken}`),
  'link-used': opens('/reset?token=used'),
  account: opens('/account', signedIn),
  sessions: opens('/account/sessions', signedIn),
  'sessions-ended': async (visitor, setting) => {
    await opens('/account/sessions', signedIn)(visitor, setting)
    await visitor.press('Sign out everywhere else')
  },
  'change-password': opens('/account/password', signedIn),
  members: async (visitor, setting) => {
    await opens('/admin/members', signedIn)(visitor, setting)
    await visitor.page.getByText('Change', { exact: true }).first().click()
    await visitor.page.mouse.move(0, 0)
  },
  'not-found': opens('/nowhere'),
}
