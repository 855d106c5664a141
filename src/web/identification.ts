import { type Fault, field } from './form.ts'

/** Whom a person says to be, as they typed it: none of it is looked up for a page, so none of it tells what exists. */
export interface Identification {
  /** The organization's name; empty: the address tells, or the host. */
  readonly organization: string
  readonly email: string
}

export function organizationField(value: string, faults: readonly Fault[]) {
  return field(
    {
      name: 'organization',
      label: 'Organization',
      value,
      autocomplete: 'organization',
      hint: 'Its short name, such as acme. Leave it empty if your organization is known by the domain of your email.',
      optional: true,
      verbatim: true,
      maxLength: 63,
    },
    faults,
  )
}
