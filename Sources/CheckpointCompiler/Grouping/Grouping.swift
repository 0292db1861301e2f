// Placeholder of the seam.

func grouped(_ function: Function) -> Function { function }
