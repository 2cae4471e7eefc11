"""Who looks: pages, panels, charts.  `viz.session` plays a world for a page without knowing any web library."""
