"""Crashes, races, replicas, leaks, and any order of events."""
