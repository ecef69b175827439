"""What the vectors are made with: written from the specs alone, importing nothing of ama2sec."""
