"""A target to practise on: disposable APIs, correct or with planted faults."""
