import { errorSummary, type Fault, field, notice, unseenUsername } from './form.ts'
import { html } from './html.ts'
import { accountPage, type Resident } from './layout.ts'
import { newPassword } from './register.ts'

interface PasswordView extends Resident {
  readonly rules: readonly string[]
  readonly faults: readonly Fault[]
  readonly notice?: string | undefined
}

/** Changes the password of somebody who knows the current one. */
export function passwordPage(view: PasswordView): string {
  const { email, rules, faults } = view
  return accountPage(
    '/account/password',
    {
      title: 'Password',
      faulty: faults.length > 0,
      content: [
        html`<p class="lead">All your other sessions end when you change it.</p>`,
        notice(view.notice),
        errorSummary(faults),
        html`<section class="card" aria-labelledby="change">
<h2 id="change">Change your password</h2>
<form method="post" action="/account/password" novalidate>
${unseenUsername(email)}
${field({ name: 'current', label: 'Current password', type: 'password', autocomplete: 'current-password', maxLength: 1024, beside: html`<a href="/forgot">Forgotten?</a>` }, faults)}
${newPassword(rules, faults, { label: 'New password' })}
<div class="actions"><button>Change the password</button></div>
</form>
</section>`,
      ],
    },
    view,
  )
}
