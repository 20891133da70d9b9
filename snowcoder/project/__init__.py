"""A folder of one's own to work in: the job scripts, and a recipe to edit."""
