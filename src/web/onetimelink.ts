import { errorSummary, type Fault, field, hidden } from './form.ts'
import { html } from './html.ts'
import { entrancePage } from './layout.ts'
import { newPassword } from './register.ts'

/** Where the link of a mail leads to. Showing a page uses nothing up: mail scanners open links, and people press buttons. */
export function verifyPage(token: string, faults: readonly Fault[]): string {
  return entrancePage({
    title: 'Confirm your email address',
    faulty: faults.length > 0,
    content: [
      html`<p class="lead">One more step: say that this address is yours, and that it was you who chose the password.</p>`,
      errorSummary(faults),
      html`<form method="post" action="/verify" novalidate>
${hidden({ token })}
${field(
  {
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'current-password',
    hint: 'The one that was chosen with the account.',
    maxLength: 1024,
    first: true,
  },
  faults,
)}
<button>Confirm my address</button>
</form>
<p class="aside">You did not register? Then leave this page: nothing happens without the password.</p>`,
    ],
  })
}

interface InvitationView {
  readonly token: string
  /** The organization's display name. */
  readonly organization: string
  readonly email: string
  readonly role: string
  /** Undefined: the whole organization. */
  readonly project: string | undefined
  /** An address; undefined where nobody in particular invites. */
  readonly invitedBy: string | undefined
  readonly name: string
  readonly rules: readonly string[]
  readonly faults: readonly Fault[]
}

export function invitationPage(view: InvitationView): string {
  const { token, organization, email, role, project, invitedBy, name, rules, faults } = view
  return entrancePage(
    {
      title: `Join ${organization}`,
      faulty: faults.length > 0,
      content: [
        html`<p class="lead">${invitedBy ?? `Somebody who runs ${organization}`} invites you to join ${organization} with the role <strong>${role}</strong>${project !== undefined && html` on the project <strong>${project}</strong>`}. Choose a password, and your account is ready.</p>`,
        errorSummary(faults),
        html`<form method="post" action="/invitation" novalidate>
${hidden({ token })}
${field({ name: 'email', label: 'Email', value: email, type: 'email', autocomplete: 'username', readonly: true, maxLength: 254 }, faults)}
${field({ name: 'name', label: 'Your name', value: name, autocomplete: 'name', maxLength: 120, first: true }, faults)}
${newPassword(rules, faults)}
<button>Accept the invitation</button>
</form>`,
      ],
    },
    organization,
  )
}

interface ResetView {
  readonly token: string
  readonly rules: readonly string[]
  readonly faults: readonly Fault[]
}

export function resetPage({ token, rules, faults }: ResetView): string {
  return entrancePage({
    title: 'Choose a new password',
    faulty: faults.length > 0,
    content: [
      html`<p class="lead">You will be signed out everywhere, and sign in with the new one.</p>`,
      errorSummary(faults),
      html`<form method="post" action="/reset" novalidate>
${hidden({ token })}
${newPassword(rules, faults, { label: 'New password', first: true })}
<button>Change the password</button>
</form>`,
    ],
  })
}

/** A link that was used, replaced or never there: which of them, nobody is told. */
export function deadLinkPage(what: string, next: { readonly href: string; readonly text: string }) {
  return entrancePage({
    title: 'This link no longer works',
    content: html`<p class="lead">${what}</p>
<p class="aside"><a class="button" href="${next.href}">${next.text}</a></p>`,
  })
}
