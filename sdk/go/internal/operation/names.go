package operation

// Names answers the names of all operations, in the order of the list.
func Names() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}
