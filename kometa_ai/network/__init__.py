"""How the program reaches other hosts: proxies, certificate authorities, limits of answers, and words for failures."""
