// Ages move, an old page says so, and it is loaded anew after a while. The page works without this.
"use strict";
const words = s => s < 90 ? `${s} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
const look = () => document.querySelectorAll("time[data-stale]").forEach(time => {
  const age = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
  document.getElementById("age").textContent = ` (${words(age)} ago)`;
  document.getElementById("stale").hidden = age <= Number(time.dataset.stale);
});
look(); setInterval(look, 10000);
const reload = Number(document.body.dataset.reload);
if (reload) setTimeout(() => location.reload(), reload * 1000);
