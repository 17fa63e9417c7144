/** A callback that throws must not be taken for a broken connection: its error is the program's own, and uncaught. */
export const guarded = (callback: () => void): void => {
  try {
    callback()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
