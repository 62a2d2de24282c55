"""The servers that payloads call: started once a run, and ended whatever happens."""
