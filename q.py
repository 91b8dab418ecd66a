from playwright.sync_api import sync_playwright

with sync_playwright() as pw:
    b = pw.chromium.connect_over_cdp("http://127.0.0.1:9437")
    c = b.contexts[0]
    p = c.new_page()
    p.set_default_timeout(60000)
    p.set_viewport_size({"width": 1280, "height": 657})
    p.goto("http://127.0.0.1:8438/#/settings")
    p.wait_for_timeout(2500)
    print(
        p.evaluate("""()=>{const d=document.querySelector('.toasts'); d.innerHTML='<div class="toast info"><span>Kept STC_0005.JPG and 2 others</span><button class="link">Undo</button></div>';
     const q=(e)=>{const r=e.getBoundingClientRect(),s=getComputedStyle(e);return [e.className,r.x,r.width,s.display,s.width,s.right,s.justifyItems,s.justifyContent,s.position,s.gridTemplateColumns,s.maxWidth,s.margin]};
     return [q(d),q(d.firstChild),q(d.firstChild.firstChild)]}""")
    )
    p.close()
