import { errorSummary, type Fault, field } from './form.ts'
import { html } from './html.ts'
import { entrancePage } from './layout.ts'

interface RegisterView {
  readonly displayName: string
  readonly organization: string
  readonly name: string
  readonly email: string
  readonly rules: readonly string[]
  readonly faults: readonly Fault[]
}

/** Registers an organization and its first owner. */
export function registerPage({ faults, rules, ...values }: RegisterView): string {
  return entrancePage({
    title: 'Register an organization',
    faulty: faults.length > 0,
    content: [
      html`<p class="lead">You become its owner, and can invite others afterwards.</p>`,
      errorSummary(faults),
      html`<form method="post" action="/register" novalidate>
${field(
  {
    name: 'display_name',
    label: 'Name of the organization',
    value: values.displayName,
    autocomplete: 'organization',
    hint: 'As people know it, such as Acme Inc.',
    maxLength: 120,
    first: true,
  },
  faults,
)}
${field(
  {
    name: 'organization',
    label: 'Short name',
    value: values.organization,
    autocomplete: 'off',
    verbatim: true,
    hint: 'For signing in, such as acme: lower-case letters, digits and hyphens.',
    maxLength: 63,
  },
  faults,
)}
${field({ name: 'name', label: 'Your name', value: values.name, autocomplete: 'name', maxLength: 120 }, faults)}
${field({ name: 'email', label: 'Email', value: values.email, type: 'email', autocomplete: 'username', maxLength: 254 }, faults)}
${newPassword(rules, faults)}
<button>Register</button>
</form>
<p class="aside">You have an account? <a href="/login">Sign in</a></p>`,
    ],
  })
}

/** The field for a password that is chosen, with what must hold of it. */
export function newPassword(
  rules: readonly string[],
  faults: readonly Fault[],
  { label = 'Password', first = false } = {},
) {
  return field(
    {
      name: 'password',
      label,
      type: 'password',
      autocomplete: 'new-password',
      rules,
      maxLength: 1024,
      first,
    },
    faults,
  )
}

/** Says the same whether a mail was sent or not. */
export function mailSentPage(title: string, sentence: string): string {
  return entrancePage({
    title,
    content: html`<p class="lead">${sentence}</p>
<p class="lead">Nothing came? Look into the folder for unwanted mail, or try again in a few minutes.</p>
<p class="aside"><a href="/login">Back to signing in</a></p>`,
  })
}
