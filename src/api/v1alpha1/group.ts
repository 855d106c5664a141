/** The API group and version of every kind here, and the names that Cardea puts on objects. */
export const group = 'cardea.dev'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}` as const

/** `kubectl get cardea` lists every kind of the group. */
export const category = 'cardea'

/** APIKey only. Its value is answered in `status.lastHandledRotateAt`; a new value asks for one rotation now. */
export const rotateRequestedAt = `${group}/rotate-requested-at` as const

/** EncryptionKey only. A new value asks for a new data key of each organization that chose it; answered in the status. */
export const rotateDataKeyRequestedAt = `${group}/rotate-data-key-requested-at` as const
