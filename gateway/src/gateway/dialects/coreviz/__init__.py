"""CoreViz: browse, change, and (when there is search) find."""
