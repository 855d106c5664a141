import { errorSummary, type Fault, field, notice } from './form.ts'
import { html } from './html.ts'
import { accountPage, type Resident } from './layout.ts'
import { onDay, time } from './moment.ts'

interface ProfileView extends Resident {
  readonly name: string
  readonly roles: readonly { readonly role: string; readonly project: string | undefined }[]
  readonly createdAt: Date
  readonly faults: readonly Fault[]
  readonly notice?: string | undefined
}

export function profilePage(view: ProfileView): string {
  const { faults, roles, createdAt } = view
  const [first, ...others] = roles.map(({ role, project }) =>
    project === undefined ? role : `${role} on ${project}`,
  )
  const named = first === undefined ? 'None yet' : [first, ...others].join(', ')
  return accountPage(
    '/account',
    {
      title: 'Profile',
      faulty: faults.length > 0,
      content: [
        notice(view.notice),
        errorSummary(faults),
        html`<section class="card" aria-labelledby="about">
<h2 id="about">About you</h2>
<form method="post" action="/account" novalidate>
${field({ name: 'name', label: 'Your name', value: view.name, autocomplete: 'name', maxLength: 120, hint: 'As the other members see it.' }, faults)}
<div class="actions"><button>Save</button></div>
</form>
</section>
<section class="card" aria-labelledby="membership">
<h2 id="membership">Your membership</h2>
<dl class="facts">
<div><dt>Organization</dt><dd>${view.organization}</dd></div>
<div><dt>Email</dt><dd>${view.email}</dd></div>
<div><dt>Roles</dt><dd>${named}</dd></div>
<div><dt>Member since</dt><dd>${time(createdAt, onDay(createdAt))}</dd></div>
</dl>
</section>`,
      ],
    },
    view,
  )
}
