package operation

// Names answers the names of all operations, in the order of the list.
func Names() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}

// Writes says whether the operation of a name changes anything; one that is not known does.
func Writes(name string) bool {
	for i := range table {
		if table[i].name == name {
			return table[i].effect != Read
		}
	}
	return true
}
