"use strict";
// The page works without this: it only spares the reader reloads.
document.documentElement.classList.add("scripted");
const messages = document.getElementById("messages");
const atEnd = () => messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
const toEnd = () => { messages.scrollTop = messages.scrollHeight; };
toEnd();

document.querySelector(".who select").addEventListener("change", (event) => event.target.form.submit());

document.addEventListener("click", (event) => {
  if (event.target.classList.contains("deny")) event.target.closest("details").open = false;
});

const refresh = async () => {
  const { channel, as, version } = messages.dataset;
  const response = await fetch(`/channel/${channel}/messages?as=${as}&version=${version}`);
  if (response.status !== 200) return;
  const html = await response.text();
  // A question that is being answered must not vanish under the pointer.
  if (messages.querySelector("details[open], form.modal")) return;
  const follow = atEnd();
  messages.innerHTML = html;
  messages.dataset.version = response.headers.get("x-version");
  if (follow) toEnd();
};

document.addEventListener("submit", async (event) => {
  if (event.target.method !== "post") return;
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const fields = new URLSearchParams(new FormData(event.target, event.submitter));
    await fetch(event.target.action, { method: "POST", body: fields, redirect: "manual" });
    if (event.target.classList.contains("modal")) event.target.remove();
  } finally {
    button.disabled = false;
    event.target.closest("details")?.removeAttribute("open");
    await refresh();
  }
});

const poll = async () => {
  try { await refresh(); } catch { /* the sandbox may be gone; it may also come back */ }
  setTimeout(poll, 700);
};
poll();
