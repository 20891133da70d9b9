"""The plan for people: steps, epochs, memory, disk, GPU-hours and dates, before anything is allocated."""
