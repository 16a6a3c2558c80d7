"""What a person sees: every module turns answers into something that rich prints."""
