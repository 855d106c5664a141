import { errorSummary, type Fault, field } from './form.ts'
import { html } from './html.ts'
import { type Identification, organizationField } from './identification.ts'
import { entrancePage } from './layout.ts'

interface ForgotView extends Identification {
  readonly organizationKnown: boolean
  readonly faults: readonly Fault[]
}

export function forgotPage({ organization, organizationKnown, email, faults }: ForgotView): string {
  return entrancePage({
    title: 'Forgotten your password?',
    faulty: faults.length > 0,
    content: [
      html`<p class="lead">We send you a link to choose a new one.</p>`,
      errorSummary(faults),
      html`<form method="post" action="/forgot" novalidate>
${field({ name: 'email', label: 'Email', value: email, type: 'email', autocomplete: 'username', maxLength: 254, first: true }, faults)}
${!organizationKnown && organizationField(organization, faults)}
<button>Send the link</button>
</form>
<p class="aside"><a href="/login">Back to signing in</a></p>`,
    ],
  })
}
