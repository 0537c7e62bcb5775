"""One seed, once: its code is called and watched, what it declares is compared, written and audited."""
