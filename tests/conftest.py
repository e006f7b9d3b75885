"""What holds for every test."""

import hypothesis

# A property is true or not, however busy the machine is: no limit of time for an example.
hypothesis.settings.register_profile("rwrouter", deadline=None)
hypothesis.settings.load_profile("rwrouter")
