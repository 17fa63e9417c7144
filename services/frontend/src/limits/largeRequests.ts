/** The large requests of one connection that are under way, oldest first. */
export class LargeRequests {
  /** How many answers the connection will have had with the large request's own, and its bytes. */
  private readonly requests: Array<{ readonly answer: number; readonly bytes: number }> = []

  add(answer: number, bytes: number): void {
    this.requests.push({ answer, bytes })
  }

  /** The connection has had this many answers. Returns how many bytes of large requests are done with. */
  answered(answers: number): number {
    let bytes = 0
    while (this.requests.length > 0 && this.requests[0]!.answer <= answers) bytes += this.requests.shift()!.bytes
    return bytes
  }
}
