// Linkgate: linkgate.connect(url) connects an account from a page of yours. See linkgate.d.ts.
globalThis.linkgate = (() => {
  "use strict";
  const pause = 1500, grace = 4500; // milliseconds: between two looks; until "closed" is believed
  const fault = (code, text) => Object.assign(new Error("linkgate: " + text), { code });

  function connect(url, { returnUrl, finish, signal } = {}) {
    if (signal?.aborted) return Promise.reject(signal.reason);
    // At once, while the click lasts; empty, for the address may be yet to come.
    const child = open("", "_blank", "popup,width=520,height=760");
    const isBlocked = !child || child.closed;

    return new Promise((resolve, reject) => {
      const over = new AbortController(), until = { signal: over.signal }; // ends listeners and requests
      let origin, ticket, session, told, timer, near = 0, gone = 0;
      const end = (settle, value) => { clearTimeout(timer); over.abort(); settle(value); };
      const finished = (status) => end(resolve, { status, session });
      const failed = (why) => { child?.close(); end(reject, why); };

      signal?.addEventListener("abort", () => failed(signal.reason), until);
      Promise.resolve(url).then(begin).catch(failed);

      function begin(address) {
        if (over.signal.aborted) return;
        const to = new URL(address);
        [, ticket] = /^\/connect\/([\w-]+)$/.exec(to.pathname) || [];
        if (!ticket || !/^https?:$/.test(to.protocol)) throw fault("address", "not an authorization_url");
        if (isBlocked) return redirect(to);
        if (child.closed) return finished("closed");
        origin = to.origin;
        addEventListener("message", hear, until);
        child.location.replace(origin + to.pathname + "?window=1");
        look();
      }

      // This page goes itself, if it is brought back in the end. Who comes by Back has given up.
      function redirect(to) {
        if (!returnUrl || finish) throw fault("blocked", "the browser blocks the window");
        addEventListener("pageshow", (e) => e.persisted && finished("closed"), until);
        location.assign(to);
      }

      function hear(e) {
        if (e.source !== child || e.origin !== origin) return;
        const [, word, what] = /^linkgate\.auth\.(success|failure|finish)\.(.+)$/.exec(e.data) || [];
        if (word === "finish") return finish && Promise.resolve(what).then(finish).catch(failed);
        if (!word || what !== ticket) return;
        told = word;
        look();
      }

      async function look() {
        clearTimeout(timer);
        timer = setTimeout(look, pause);
        let now = {};
        try {
          now = await (await fetch(`${origin}/connect/${ticket}/status`, { ...until, credentials: "omit" })).json();
        } catch { /* the next look, or a message, may tell */ }
        if (!over.signal.aborted) judge(now);
      }

      function judge({ status, step, session: id }) {
        session = id || session;
        if (status === "linked" || status === "pending") return finished(status);
        if (!status && told === "success") return finished("linked");
        if (status === "expired") return finished(told ? "failed" : child.closed ? "closed" : "expired");
        if (status) told = status === "failed" && "failure";
        if (!child.closed) {
          near += step === "ticket" || step === "service"; // long: no header of this page cuts it off
          gone = 0;
        } else if (told) finished("failed"); // else it could be tried again
        // What a Cross-Origin-Opener-Policy has cut off says closed, too. It is closed where nothing
        // can have cut it off, or where the user is back on this page.
        else if (status !== "working" && (step === "new" || step === "ticket" && near > 5 || document.hasFocus())) {
          gone ||= Date.now();
          if (Date.now() - gone >= grace) finished("closed");
        } else gone = 0;
      }
    });
  }

  return { connect };
})();
