"""Where events go: one small class for each form, all of them told of losses too."""
