// Links to the video before and after this one.
'use strict';

(function () {
  const withPage = mmsal.videos.filter(([, slug]) => slug);
  const here = withPage.findIndex(([name]) => name === mmsal.video.name);
  for (const [id, step] of [['previous', -1], ['next', 1]]) {
    const other = withPage[here + step];
    if (!other) continue;
    const link = document.getElementById(id);
    link.href = `${other[1]}.html`;
    link.querySelector('span').textContent = other[0];
    link.hidden = false;
  }
})();
