import { errorSummary, type Fault, field, hidden, notice, unseenUsername } from './form.ts'
import { attributes, html } from './html.ts'
import { type Identification, organizationField } from './identification.ts'
import { entrancePage } from './layout.ts'

interface IdentifyView extends Identification {
  /** The host says which organization it is: nobody is asked. */
  readonly organizationKnown: boolean
  readonly returnTo: string | undefined
  readonly registrationOpen: boolean
  readonly faults: readonly Fault[]
  readonly notice?: string | undefined
}

/** Signing in, first: which organization, which address. */
export function identifyPage(view: IdentifyView): string {
  const { organization, organizationKnown, email, faults } = view
  return entrancePage({
    title: 'Sign in',
    faulty: faults.length > 0,
    content: [
      organizationKnown &&
        html`<p class="lead">To the organization <strong>${organization}</strong>.</p>`,
      notice(view.notice),
      errorSummary(faults),
      html`<form method="post" action="/login" novalidate>
${hidden({ return_to: view.returnTo })}
${field({ name: 'email', label: 'Email', value: email, type: 'email', autocomplete: 'username', maxLength: 254, first: true }, faults)}
${!organizationKnown && organizationField(organization, faults)}
<button>Continue</button>
</form>
${view.registrationOpen && html`<p class="aside">New here? <a href="/register">Register an organization</a></p>`}`,
    ],
  })
}

interface MethodView extends Identification {
  /** Methods of the organization, by their names in its resource. */
  readonly methods: readonly string[]
  readonly faults: readonly Fault[]
  readonly notice?: string | undefined
}

/** Signing in, second: how. */
export function methodPage(view: MethodView): string {
  const { organization, email, methods, faults } = view
  const [password, code] = [methods.includes('Password'), methods.includes('EmailCode')]
  const withPassword = html`<form method="post" action="/login/password" novalidate>
${unseenUsername(email)}
${field(
  {
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'current-password',
    maxLength: 1024,
    beside: html`<a href="/forgot">Forgotten?</a>`,
    first: true,
  },
  faults,
)}
<button>Sign in</button>
</form>`
  const withCode = html`<form method="post" action="/login/code/request">
${hidden({ email })}<button${attributes({ class: password && 'plain' })}>Email me a code</button>
</form>`
  const neither = html`<p class="lead">Your organization signs in by a method that these pages do not offer yet. Ask its administrators how to sign in.</p>`
  return entrancePage({
    title: 'Sign in',
    faulty: faults.length > 0,
    content: [
      notice(view.notice),
      who({ organization, email }),
      errorSummary(faults),
      password && withPassword,
      password && code && html`<p class="or">or</p>`,
      code && withCode,
      !password && !code && neither,
    ],
  })
}

interface CodeView extends Identification {
  readonly faults: readonly Fault[]
  readonly notice?: string | undefined
}

/** Signing in by a code, third: the code. */
export function codePage({ organization, email, faults, notice: done }: CodeView): string {
  return entrancePage({
    title: 'Enter your code',
    faulty: faults.length > 0,
    content: [
      html`<p class="lead">If the address has an account, a code of six digits is on its way to it. It is good for ten minutes.</p>`,
      who({ organization, email }),
      notice(done),
      errorSummary(faults),
      html`<form method="post" action="/login/code" novalidate>
${field(
  {
    name: 'code',
    label: 'Code',
    autocomplete: 'one-time-code',
    verbatim: true,
    numeric: true,
    maxLength: 16,
    hint: 'Nobody will ever ask you for it by phone or by mail.',
    first: true,
  },
  faults,
)}
<button>Sign in</button>
</form>
<form method="post" action="/login/code/request">${hidden({ email })}<button class="plain">Send another code</button></form>`,
    ],
  })
}

function who({ organization, email }: Identification) {
  return html`<p class="who"><span><span>${organization === '' ? 'Signing in as' : `Signing in to ${organization} as`}</span>${email}</span> <a href="/login">Change<span class="hidden"> who signs in</span></a></p>`
}

/** Where somebody who signed in wanted to go, outside of these pages. @param url of an origin that the organization lists */
export function onwardPage(url: URL): string {
  return entrancePage({
    title: 'You are signed in',
    onward: url.href,
    content: html`<p class="lead">Going on to <strong>${url.host}</strong>.</p>
<p class="aside"><a class="button" href="${url.href}">Continue to ${url.host}</a></p>`,
  })
}
