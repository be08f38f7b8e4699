// What /linkgate.js puts into a page: the global `linkgate`. Copy this file beside your sources.

declare namespace linkgate {
  /** How it ended, as far as this page can know. Your back end knows for certain: GET /v1/sessions/{id}, and events. */
  type Status =
    | "linked" // the account is connected
    | "pending" // it is, and will appear at the host shortly
    | "failed" // it is not, and the user has left; the window said why
    | "closed" // the user has closed the window before anything came of it
    | "expired"; // the user has taken too long

  interface Outcome {
    status: Status;
    /** The session's id, as in the answer of POST /v1/sessions; undefined when it could not be learnt. */
    session?: string;
  }

  interface Options {
    /** The session's return_url. With it, where the browser blocks the window this page itself goes to Linkgate, and
     * the user comes back there with linkgate_session and linkgate_status (success or failure) in the query. */
    returnUrl?: string | URL;
    /** With HOST_FINISH: sends the token to your back end, for POST /v1/sessions/{id}/finish. */
    finish?: (token: string) => unknown;
    /** Ends the waiting and closes the window; the promise is rejected with the signal's reason. */
    signal?: AbortSignal;
  }

  /** Why a promise was rejected: the window is blocked and there is no returnUrl; or url is no authorization_url. */
  interface Fault extends Error {
    code: "blocked" | "address";
  }

  /**
   * Connects an account in a window of its own. Call it in the click: what is awaited before makes the window a pop-up
   * that browsers block, so give the promise of the address instead of the address.
   *
   * @param url authorization_url, or the promise of it
   */
  function connect(url: string | URL | PromiseLike<string | URL>, options?: Options): Promise<Outcome>;
}
