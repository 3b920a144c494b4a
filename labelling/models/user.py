from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person. What they may do in a project is their `Membership`; `is_staff` opens Django's admin."""
